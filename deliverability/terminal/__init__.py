"""What the commands share: options, requests made of them, streams, exit statuses.  No logic of mail."""
