"""The lock of the cards: each GPU, or the CPU without one, does one task at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from procvid.errors import LostCardError
from procvid.phantom.device_errors import device_error, no_card_left


@dataclass(eq=False)
class _Claim:
    """A place in the line: the card that is asked for, None for any, and the one that is held."""

    wanted: int | None
    held: int | None = None


class FairLock:
    """A first-come, first-served lock of one or more cards.

    Args:
        cards: CUDA devices as torch numbers them; (0,) stands for the CPU too.

    Attributes:
        cards: All cards.
        changed: Held to read or change who holds a card; notified when that changes.
    """

    def __init__(self, cards: Sequence[int] = (0,)) -> None:
        self.cards = tuple(cards)
        self.changed = threading.Condition()
        self._line: list[_Claim] = []
        self._lost: set[int] = set()

    @property
    def working(self) -> list[int]:
        """The cards that are not lost, in order."""
        return [card for card in self.cards if card not in self._lost]

    def is_free(self, card: int) -> bool:
        """Return True if nobody holds a card that works."""
        return card in self.working and all(claim.held != card for claim in self._line)

    def no_card_left(self) -> LostCardError:
        """Return the error for work that waits when no card works."""
        return no_card_left(self.cards)

    @contextmanager
    def hold(self, card: int | None = None) -> Iterator[int]:
        """Wait for a card, and hold it until the block ends.

        If the block ends with the error of a lost card, nobody gets that card again.

        Args:
            card: The card; None for any.

        Yields:
            The card that is held.

        Raises:
            LostCardError: The card is lost: during the block, before, or while waiting.
            UnavailableError: The block raised an out-of-memory error of the card.
        """
        mine = _Claim(card)
        with self.changed:
            self._line.append(mine)
            try:
                self.changed.wait_for(lambda: self._is_granted(mine))
            except BaseException:
                self._leave(mine)
                raise
            self.changed.notify_all()
        held = mine.held
        assert held is not None, "a granted claim holds a card"
        try:
            yield held
        except Exception as error:
            shown = device_error(error, held)
            if isinstance(shown, LostCardError):
                with self.changed:
                    self._lost.add(held)
            if shown is None or shown is error:
                raise
            raise shown from error
        finally:
            with self.changed:
                self._leave(mine)

    def _is_granted(self, mine: _Claim) -> bool:
        """Serve the line in order. A claim of a busy card does not hold up claims of other cards."""
        if not self._cards_for(mine, self.working):
            raise self.no_card_left()
        free = [card for card in self.working if self.is_free(card)]
        for claim in self._line:
            # The last one for any: jobs prefer the first ones, which have the generator.
            possible = self._cards_for(claim, free) if claim.held is None else []
            if claim is mine:
                mine.held = possible[-1] if possible else None
                return mine.held is not None
            if possible:
                free.remove(possible[-1])
        return False

    @staticmethod
    def _cards_for(claim: _Claim, cards: Sequence[int]) -> list[int]:
        return [card for card in cards if claim.wanted in (None, card)]

    def _leave(self, mine: _Claim) -> None:
        self._line.remove(mine)
        self.changed.notify_all()
