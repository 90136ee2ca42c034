"""The public cases and samples that stand beside this repository; a plain clone has none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the public cases of ../shared are not here")
