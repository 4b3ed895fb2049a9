"""How many questions are under way at once: a semaphore that can also be passed without waiting."""

import asyncio
from collections import deque


class Gate:
    """Lets ``places`` in at once, others in the order in which they came."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting: deque[asyncio.Future[None]] = deque()

    def enter_now(self) -> bool:
        """Take a place if one is free and nobody waits for it."""
        if self._places < 1 or self._waiting:
            return False
        self._places -= 1
        return True

    async def enter(self) -> None:
        """Take a place, when there is one."""
        if self.enter_now():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()  # the place was given to somebody who is gone
            else:
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Give the place to whoever waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._places += 1
