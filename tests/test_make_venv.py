"""`.make/venv.sh`: two that begin at once make one `.venv`."""

import asyncio
import fcntl
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHON = """\
#!/bin/sh
# Stands in for Python, venv and pip: nothing is downloaded.
case $* in
    "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    --version) echo Python 3.13.0 ;;
esac
"""


async def test_who_comes_second_waits_for_the_first(tmp_path: Path) -> None:
    (tmp_path / ".make").mkdir()
    script = Path(shutil.copy(ROOT / ".make" / "venv.sh", tmp_path / ".make"))
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("aiohttp==3.0\n")
    python = tmp_path / "bin" / "python3.13"
    python.parent.mkdir()
    python.write_text(PYTHON)
    python.chmod(0o755)
    with requirements.open() as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        process = await asyncio.create_subprocess_exec(
            "sh", str(script), "runtime", env={"PATH": f"{python.parent}:/usr/bin:/bin"}, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        assert b"waiting" in await process.stderr.readline()
        assert not (tmp_path / ".venv").exists()
    rest = await process.stderr.read()
    assert await process.wait() == 0, rest.decode()
    assert (tmp_path / ".venv" / ".runtime.stamp").exists()
