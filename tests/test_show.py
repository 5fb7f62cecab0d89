"""`.show(path)`: a program drawn, with the source beside it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
import tracefuse as tf
from gpu_tools import gpu  # noqa: F401
from tracefuse import jit
from tracefuse.api.picture.boxes import boxes_of
from tracefuse.api.picture.layout import arrange, height, width
from tracefuse.kernels.fusion import plan

SVG = "{http://www.w3.org/2000/svg}"


def chain(x, w):
    y = tf.relu(x @ w)
    z = tf.softmax(y, -1)
    return z + y


def lowered(f=chain, *args):
    return jit(f).lower(*(args or (tf.ones(4, 3), tf.ones(3, 5))))


def test_every_operation_has_a_row_and_every_kernel_a_box():
    graph = lowered().graph
    boxes = boxes_of(graph)
    shown = [row.id for box in boxes for row in box.rows]
    assert len(shown) == len(set(shown))
    constants = {v.id for v in graph.nodes() if v.op == "constant"}
    assert {v.id for v in graph.nodes()} - constants == set(shown)
    kernels = [r for r in plan(graph).regions if r.kind != "view"]
    boxed = [box for box in boxes if box.kind not in ("input", "view")]
    assert len(boxed) == len(kernels)
    for region, box in zip(kernels, boxed):
        inside = {row.id for row in box.rows}
        assert {v.id for v in region.nodes} - constants <= inside
    assert sum(row.result for box in boxes for row in box.rows) == 1


def test_boxes_do_not_overlap_and_stand_below_what_they_read():
    net = tf.nn.Sequential(*[tf.nn.Linear(4, 4) for _ in range(6)])

    def step(x):
        net(x).square().mean().backward()

    boxes = boxes_of(jit(step).lower(tf.ones(2, 4)).graph)
    wide, high = arrange(boxes)
    home = {row.id: box for box in boxes for row in box.rows}
    for box in boxes:
        assert 0 <= box.x and box.x + width(box) <= wide
        assert 0 <= box.y and box.y + height(box) <= high
        for above in (home[i] for row in box.rows for i in row.reads):
            assert above is box or above.y + height(above) < box.y
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            beside = a.x + width(a) <= b.x or b.x + width(b) <= a.x
            assert beside or a.y + height(a) <= b.y or b.y + height(b) <= a.y


def test_the_picture_is_svg(tmp_path):
    path = tmp_path / "chain.svg"
    lowered().show(path)
    root = ET.parse(path).getroot()
    assert root.tag == f"{SVG}svg"
    rows = [g for g in root.iter(f"{SVG}g") if "row" in g.get("class")]
    texts = ["".join(g.itertext()) for g in rows]
    assert any("dot(" in text for text in texts)
    assert any("exp(" in text and "test_show.py:" in text for text in texts)
    ids = {g.get("id") for g in rows}
    edges = [p for p in root.iter(f"{SVG}path")]
    assert edges and all({p.get("data-from"), p.get("data-to")} <= ids for p in edges)
    assert "http" not in path.read_text().replace("http://www.w3.org/2000/svg", "")


class Page(HTMLParser):
    """Collects lines of source, rows of the graph, and whatever a page may load."""

    def __init__(self, text):
        super().__init__()
        self.lines, self.rows, self.loads, self.open = {}, [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        kind = (attrs.get("class") or "").split()
        if "code" in kind:
            self.open = (attrs["data-line"], "used" in kind)
            self.lines[self.open[0]] = [self.open[1], ""]
        if "row" in kind:
            self.rows.append(attrs["data-line"])
        self.loads += [attrs[k] for k in ("src", "href") if k in attrs]

    def handle_data(self, data):
        if self.open:
            self.lines[self.open[0]][1] += data


def test_the_page_has_the_source_beside_the_program(tmp_path):
    path = tmp_path / "chain.html"
    lowered().show(str(path))
    page = Page(path.read_text(encoding="utf-8"))
    assert page.loads == []
    used = {line: text for line, (used, text) in page.lines.items() if used}
    assert any("tf.relu(x @ w)" in text for text in used.values())
    assert any("tf.softmax(y, -1)" in text for text in used.values())
    assert {line for line in page.rows if line} == set(used)
    unused = [text for used, text in page.lines.values() if not used]
    assert any("def chain" in text for text in unused)


def test_a_saved_program_is_drawn_without_its_source(tmp_path):
    program = jit.trace(chain, (tf.ones(4, 3), tf.ones(3, 5)))
    program.save(tmp_path / "chain.tf")
    text = (tmp_path / "chain.tf").read_bytes()
    loaded = jit.load(tmp_path / "chain.tf")
    loaded.show(tmp_path / "loaded.html")
    program.show(tmp_path / "traced.svg")
    page = Page((tmp_path / "loaded.html").read_text(encoding="utf-8"))
    assert any(line.startswith("test_show.py:") for line in page.rows)
    assert b"chain" in text and page.lines


def test_names_are_escaped(tmp_path):
    def f(x):
        return x + 1

    f.__name__ = "<b>&"
    jit(f).lower(tf.ones(2)).show(tmp_path / "f.html")
    text = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;" in text and "<b>" not in text


def test_two_hundred_operations_stay_readable(tmp_path):
    def f(x):
        for i in range(100):
            x = tf.sin(x) * (i + 1.5)
        return x

    boxes = boxes_of(jit(f).lower(tf.ones(3)).graph)
    wide, high = arrange(boxes)
    assert sum(len(box.rows) for box in boxes) == 201
    assert wide < 1500 and high < 6000


def test_nothing_computed_is_drawn_too(tmp_path):
    jit(lambda x: x).lower(tf.ones(2)).show(tmp_path / "same.svg")
    assert ET.parse(tmp_path / "same.svg").getroot().tag == f"{SVG}svg"


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=re.escape("show writes .html or .svg, not")):
        lowered().show(tmp_path / "chain.png")


@pytest.fixture
def drawn_there(gpu, monkeypatch):  # noqa: F811
    """What `chain` and a sort are on a GPU."""
    pytest.importorskip("triton")
    program = pytest.importorskip("tracefuse.kernels.triton.program")
    monkeypatch.setattr(program, "special_kernel", lambda *args: None)

    def f(x, w):
        y = chain(x, w)
        return tf.cumsum(y, 0) * 2

    return jit(f).lower(tf.ones(4, 3).cuda(), tf.ones(3, 50).cuda())


def test_on_a_gpu_the_boxes_are_the_kernels_that_run(drawn_there):
    program = drawn_there.executable.program
    boxes = boxes_of(drawn_there.graph, program)
    shown = [row.id for box in boxes for row in box.rows]
    assert len(shown) == len(set(shown))
    constants = {v.id for v in program.graph.nodes() if v.op == "constant"}
    assert {v.id for v in program.graph.nodes()} - constants <= set(shown)
    titles = [b.title.split(",")[0] for b in boxes if b.kind in ("loop", "opaque")]
    assert titles == [*program.kernels]
    hosts = [box for box in boxes if box.kind == "host"]
    assert [box.title for box in hosts] == ["on the host: cumulative"]
    assert any(row.line and "test_show.py" in row.line for row in hosts[0].rows)


def test_on_a_gpu_the_page_says_so(drawn_there, tmp_path):
    drawn_there.show(tmp_path / "f.html")
    text = (tmp_path / "f.html").read_text()
    count = len(drawn_there.executable.program.kernels)
    assert f"operations in {count} kernels and 1 steps on the host" in text
    for name in drawn_there.executable.program.kernels:
        assert f"{name}, " in text


def test_on_a_gpu_late_sums_and_training_steps(gpu, tmp_path):  # noqa: F811
    pytest.importorskip("triton")
    net = tf.nn.Sequential(tf.nn.Linear(4, 8), tf.nn.LayerNorm(8)).cuda()
    adam = tf.optim.Adam(net.parameters())

    def step(x):
        adam.zero_grad()
        net(x).square().mean().backward()
        adam.step()

    low = jit(step).lower(tf.ones(300, 4).cuda())
    boxes = boxes_of(low.graph, low.executable.program)
    assert all(box.rows for box in boxes)
    arrange(boxes)
    low.show(tmp_path / "step.svg")
