"""Speak with the installed program espeak-ng."""

from __future__ import annotations

import shutil
import subprocess

from procvid.errors import InputError, UnavailableError
from procvid.media.sound import RATE_HZ, decode_sound
from procvid.types import ModelInfo, Samples

PROGRAM = "espeak-ng"
LANGUAGE = "en-us"
WORDS_PER_MINUTE = 150
TIMEOUT_S = 60.0
INSTALL = "Install it: `sudo apt install espeak-ng`, or `brew install espeak-ng`."


class EspeakVoice:
    """The voice of espeak-ng, a little slower than its default.

    Raises:
        UnavailableError: The program is not installed.
    """

    def __init__(self) -> None:
        found = shutil.which(PROGRAM)
        if found is None:
            raise UnavailableError(f"The program {PROGRAM} is not installed.", INSTALL)
        self._program = found
        details = {"words a minute": str(WORDS_PER_MINUTE)}
        self.info = ModelInfo(id=PROGRAM, revision=LANGUAGE, details=details)

    def speak(self, text: str) -> tuple[Samples, int]:
        """Return the speech and its rate in Hz.

        Raises:
            UnavailableError: The program failed or took too long.
        """
        options = ["-v", LANGUAGE, "-s", str(WORDS_PER_MINUTE), "-b", "1", "-z"]
        try:
            done = subprocess.run(
                [self._program, *options, "--stdin", "--stdout"],
                input=text.encode("utf-8", "replace"),
                capture_output=True,
                timeout=TIMEOUT_S,
                check=True,
            )
            return decode_sound(done.stdout), RATE_HZ
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(
                f"The program {PROGRAM} took more than {TIMEOUT_S:g} s.", "Choose no voice."
            ) from error
        except (OSError, subprocess.CalledProcessError, InputError) as error:
            raise UnavailableError(
                f"The program {PROGRAM} gave no sound.", "Install it again, or choose no voice."
            ) from error
