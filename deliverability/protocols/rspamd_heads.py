"""How a line of rspamd begins, in its own file and by syslog: what a log is told by that may hold none of its lines."""

from deliverability.protocols.syslog import head_for

TIME = rb"\d{4}-\d\d-\d\d [0-2]\d:[0-5]\d:[0-6]\d(?:\.\d{1,6})?"
"""Regular expression (bytes): date and time in rspamd's own file."""
FILE_HEAD = rb"^%s #\d{1,10}\([a-z_]{1,32}\) " % TIME
SYSLOG_HEAD = head_for(rb"rspamd")
