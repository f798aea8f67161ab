"""Takes the pictures of guides/explore.md: `python -m docs.screenshots`, with Chromium, Selenium and Pillow."""

import base64
import io
import tempfile
from pathlib import Path

from PIL import Image

import dyce_search as ds
from tests.browser import browsing

FOLDER = Path(__file__).parent
PICTURES = {"explorer.png": (1240, 980, False), "explorer-phone.png": (400, 1160, True)}  # width, height, dark


def main() -> None:
    """The explorer of the example records, on a screen and on a phone."""
    front = ds.search(ds.load_example("search"))
    with tempfile.TemporaryDirectory() as folder, browsing() as browser:
        page = Path(folder) / "explorer.html"
        front.explore(page, held_out=ds.load_example("test"))
        for name, (width, height, dark) in PICTURES.items():
            browser.open(page, width=width, height=height, dark=dark)
            clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
            shot = browser.driver.execute_cdp_cmd(
                "Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True}
            )
            picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
            few = picture.quantize(128, kmeans=2, dither=Image.Dither.NONE)
            few.save(FOLDER / name, optimize=True)


if __name__ == "__main__":
    main()
