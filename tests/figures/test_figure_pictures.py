"""The pictures look as they did; `python tests/figures/pictures.py` draws them anew."""

import numpy as np
import pictures
import pytest
from matplotlib.testing.compare import compare_images

from tfseq.figures import samples, style

TOLERANCE = 3  # of 255, root mean square: for processors that round in another way

same_matplotlib = pytest.mark.skipif(
    pictures.matplotlib_version() != pictures.DRAWN_WITH.read_text().strip(),
    reason="the pictures were drawn with another matplotlib: python tests/figures/pictures.py",
)


def difference(name, actual):
    expected = pictures.BASELINE / f"figure_{name}.png"
    found = compare_images(str(expected), str(actual), TOLERANCE, in_decorator=True)
    return found["rms"] if found else 0


@same_matplotlib
@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_picture_looks_as_it_did(name, tmp_path):
    assert difference(name, pictures.draw(name, tmp_path)) == 0


@same_matplotlib
def test_the_comparison_sees_a_channel_that_is_missing(tmp_path):
    waveform = pictures.WAVEFORM.copy()
    waveform[2] = np.nan
    figure = samples.line_plot(waveform, pictures.NAMES, pictures.WHERE)
    style.save(figure, tmp_path / "figure.png", pictures.DOTS_PER_INCH)
    assert difference("1", tmp_path / "figure.png") > TOLERANCE


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_nothing_is_clipped(name):
    """All text and axes lie within the figure."""
    figure = pictures.PICTURES[name]()
    figure.canvas.draw()
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_picture_replaces_what_was_there_and_is_the_same_file_each_time(suffix, tmp_path):
    path = tmp_path / f"figure.{suffix}"
    path.write_text("old")
    contents = set()
    for _ in range(2):
        style.save(pictures.PICTURES["2"](), path, pictures.DOTS_PER_INCH)
        contents.add(path.read_bytes())
    (content,) = contents
    assert content.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix])
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_picture_that_cannot_be_saved_leaves_the_old_one_and_nothing_else(tmp_path):
    path = tmp_path / "figure.nonsense"
    path.write_text("old")
    with pytest.raises(ValueError, match="nonsense"):
        style.save(pictures.PICTURES["2"](), path, pictures.DOTS_PER_INCH)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
