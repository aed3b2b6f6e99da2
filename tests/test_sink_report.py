"""The report: what it tells, whatever the run found."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest

from tests.samples import EVENT, prepare
from transforms.elements import DeadLetter, Segment, Trigger
from transforms.files import OutputError
from transforms.gps import from_seconds
from transforms.sink import writers
from transforms.sink.folder import event_partition, partition
from transforms.sink.report import figures, page, write_report

MADE = writers.Provenance(config="c0ffee", version="0.1.0")
START = 1126259446
RATE = 512
VOID = {"meta", "br", "link", "img", "input", "hr"}


def trigger(number, channel="H1:GDS-CALIB_STRAIN", **changes):
    time = from_seconds(START + 2 + 0.5 * number)
    noise = np.random.default_rng(number).normal(size=2 * RATE).astype(np.float32)
    made = Trigger(
        id=f"{number:04x}",
        ifo=channel[:2],
        channel=channel,
        time_ns=time,
        start_ns=time - 1,
        end_ns=time + 1,
        frequency=100.0 + number,
        low_frequency=60.0,
        high_frequency=240.0,
        bandwidth=180.0,
        duration=0.25,
        q=8.0,
        snr=6.0 + number,
        rank=6.0 + number,
        amplitude=1e-22,
        phase=0.5,
        wavelet="sine-gaussian",
        tiles=7,
        dq=("CAT2",),
        injections=("CBC_HW_INJ", "CW_HW_INJ"),
        config="c0ffee",
        data_time_ns=time + from_seconds(0.5),
        snippet=noise.tobytes(),
        snippet_rate=RATE,
        snippet_start_ns=time - from_seconds(1.5),
        label="blip",
        score=0.75,
    )
    return replace(made, **changes)


def segments(*channels):
    start, middle, end = (from_seconds(START + offset) for offset in (0, 24, 32))
    for channel in channels:
        yield Segment(
            ifo=channel[:2], channel=channel, start_ns=start, end_ns=middle, analysed=True
        )
        yield Segment(
            ifo=channel[:2],
            channel=channel,
            start_ns=middle,
            end_ns=end,
            analysed=False,
            reason="DATA is off",
        )


def report(tmp_path, triggers, stretches=(), letters=(), snippets=True, events=()):
    output = prepare(str(tmp_path), "threshold: 5.5 # <quiet>\n", "c0ffee", "0.1.0")
    for name in {partition(each) for each in triggers}:
        own = [each for each in triggers if partition(each) == name]
        writers.write_triggers(output, name, own, MADE)
    writers.write_events(output, event_partition(EVENT), events, MADE)
    writers.write_segments(output, stretches, MADE)
    writers.write_dead_letters(output, letters)
    if snippets:
        writers.write_snippets(output, triggers, MADE)
    return write_report(output).read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Checks that elements nest, and gathers identifiers and references."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.references, self.tags = [], [], [], []
        self.attributes = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            self.attributes.append(name)
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href", "action", "data"):
                self.references.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    triggers = [trigger(number) for number in range(5)]
    triggers += [trigger(99, "L1:GDS-CALIB_STRAIN", label="", score=float("nan"), snippet=b"")]
    channels = ("H1:GDS-CALIB_STRAIN", "L1:GDS-CALIB_STRAIN")
    letters = [DeadLetter(source="<b>.gwf", reason="truncated; fetch it again")]
    return report(tmp_path_factory.mktemp("full"), triggers, segments(*channels), letters)


@pytest.mark.slow
def test_it_nests_and_refers_to_nothing_outside_itself(full):
    outline = Outline(full)

    assert len(outline.ids) == len(set(outline.ids))
    for reference in outline.references:
        assert reference.startswith("data:image/png;base64,") or reference[1:] in outline.ids
    assert not {"script", "link", "iframe", "object"} & set(outline.tags)
    for target in re.findall(r"url\(([^)]*)\)", full):
        assert target[1:] in outline.ids
    assert "@import" not in full


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "Transients in H1 and L1",
        "2015-09-14 09:50:29.000 to 2015-09-14 09:51:20.500 UTC",
        "<dt>triggers</dt><dd>6</dd>",
        "<dt>version</dt><dd>0.1.0</dd>",
        "<td class=\"t\">H1:GDS-CALIB_STRAIN</td><td class=\"n\">24.0 s</td>",
        "DATA is off",
        "&lt;b&gt;.gwf",
        "truncated; fetch it again",
        "not classified",
        '<a href="#snippet-0004">1126259450.0000</a>',
        '<td class="n">0.75</td><td class="t"><span class="flag">CAT2</span></td>'
        '<td class="t">CBC_HW_INJ, CW_HW_INJ</td></tr>',
        "threshold: 5.5 # &lt;quiet&gt;",
    ],
)  # fmt: skip
def test_it_tells(full, text):
    assert text in full


def test_a_label_stands_beside_gravity_spy_s_name_where_it_has_one(tmp_path):
    found = [trigger(1, label="low_frequency_blip"), trigger(2, label="ccsn")]
    text = report(tmp_path, found, snippets=False)
    assert text.count("Gravity Spy's name") == 1
    assert re.search("low_frequency_blip <span[^>]*>Blip_Low_Frequency</span>", text)


@pytest.mark.slow
def test_it_looks_closely_at_what_was_kept(full):
    assert len(re.findall('<figure id="snippet-', full)) == 5
    assert full.count("Time-frequency image, Q = ") == 5


@pytest.mark.slow
def test_the_same_results_give_the_same_page(tmp_path):
    first = report(tmp_path, [trigger(1)], segments("H1:GDS-CALIB_STRAIN"))

    assert write_report(tmp_path).read_text(encoding="utf-8") == first


@pytest.mark.slow
def test_the_style_of_others_does_not_reach_it(tmp_path):
    first = report(tmp_path, [trigger(1)], segments("H1:GDS-CALIB_STRAIN"))

    with mpl.rc_context({"axes.grid": True, "font.size": 30, "axes.formatter.use_mathtext": True}):
        assert write_report(tmp_path).read_text(encoding="utf-8") == first
        assert mpl.rcParams["font.size"] == 30


def test_the_loudest_events_are_told_with_their_rate(tmp_path):
    found = [
        EVENT,
        replace(EVENT, id="E1", rank=30.0, far=float("nan"), label=""),
        replace(EVENT, id="E2", rank=4.0, far=1e-5, detectors=("H1", "L1", "V1"),
                triggers=(*EVENT.triggers, replace(EVENT.triggers[0], ifo="V1"))),
    ]  # fmt: skip

    text = report(tmp_path, [], events=found)

    Outline(text)
    assert "<dt>events</dt><dd>3</dd>" in text
    rows = re.findall(r"<tr><td class=\"n\">1126259462\.4219</td>.*?</tr>", text)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row)[2:] for row in rows]
    assert cells == [
        ["H1,L1", "15.0", "30.0", "14.2", "\u2013", "\u2013"],
        ["H1,L1", "15.0", "21.5", "14.2", "1 in 15.8 yr", "chirp"],
        ["H1,L1,V1", "15.0", "4.0", "14.2", "1 in 1.16 d", "chirp"],
    ]


@pytest.mark.parametrize(
    ("far", "told"),
    [
        (None, ""), (0.0, "0"), (1 / 31_557_600, "1 in 1 yr"), (1e-12, "1 in 31,688 yr"),
        (1 / 86_400, "1 in 1 d"), (1 / 7200, "1 in 2 h"), (1 / 90, "1 in 1.5 min"),
        (2.0, "1 in 0.5 s"),
    ],
)  # fmt: skip
def test_a_rate_is_told_as_people_say_it(far, told):
    assert page._rate(far) == told


def test_a_run_without_events_says_so(tmp_path):
    text = report(tmp_path, [trigger(1)], snippets=False)

    assert "No events: no two detectors saw the same." in text
    assert "<dt>events</dt><dd>0</dd>" in text


def test_a_run_that_found_nothing_says_so(tmp_path):
    text = report(tmp_path, [], segments("H1:GDS-CALIB_STRAIN"))

    Outline(text)
    assert "no triggers" in text
    assert "No strain was kept." in text
    assert "None: every input could be used." in text


def test_a_run_that_looked_at_nothing_says_so(tmp_path):
    text = report(tmp_path, [])

    Outline(text)
    assert "No data were looked at." in text


def test_snippets_may_be_missing(tmp_path):
    text = report(tmp_path, [trigger(1)], segments("H1:GDS-CALIB_STRAIN"), snippets=False)

    assert "No strain was kept." in text
    assert "1126259448.5000" in text


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(OutputError, match="no results in"):
        write_report(tmp_path)


@pytest.mark.slow
def test_a_page_that_cannot_be_written_is_one_line(tmp_path):
    report(tmp_path, [trigger(1)])
    (tmp_path / "report" / "index.html").unlink()
    (tmp_path / "report").rmdir()
    (tmp_path / "report").touch()
    with pytest.raises(OutputError, match=r"cannot write .*: .*; make room, then: wavefier report"):
        write_report(tmp_path)


@pytest.mark.slow
def test_hostile_names_stay_text(tmp_path):
    channel = 'H1:$x$"><script>alert(1)</script>'
    stretches = [
        Segment(
            ifo="H1", channel=channel, start_ns=0, end_ns=10**9, analysed=False, reason="<script>"
        )
    ]
    text = report(tmp_path, [trigger(1, channel, label="<script>")], stretches)

    assert "script" not in Outline(text).tags


HOSTILE = [
    "</title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "--><svg onload=alert(1)>",
    "</svg></style><iframe src=//evil>",
    "]]><script>",
    "&lt;script&gt; &amp;",
    "$title ${style} $x$ \\frac{",
    "javascript:alert(1)",
    "_nolegend_",
    "line\nbreak\ttab\x07",
    "\u202eevil \u65e5\u672c \U0001f600",
    "caf\udce9 \ud800 \x00",
    "x" * 3000,
    "",
]


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_senders_say_stays_text_wherever_it_stands(tmp_path, text):
    channel = f"H1:{text}"
    found = [
        trigger(
            1,
            channel,
            label=text,
            dq=(text, "b"),
            injections=(text, "b"),
            probabilities=((text, 1.0),),
        )
    ]
    start, middle, end = (from_seconds(START + offset) for offset in (0, 24, 32))
    stretches = [
        Segment(ifo="H1", channel=channel, start_ns=start, end_ns=middle, analysed=True),
        Segment(
            ifo="H1",
            channel=channel,
            start_ns=middle,
            end_ns=end,
            analysed=False,
            reason=text or "why",
        ),
    ]
    event = replace(EVENT, label=text, pair=text, far_method=text)
    page_ = report(
        tmp_path, found, stretches, [DeadLetter(source=text, reason=text, checksum=text)],
        events=[event],
    )  # fmt: skip

    usual = report(tmp_path / "usual", [trigger(1)], segments("H1:GDS-CALIB_STRAIN"), [
        DeadLetter(source="a", reason="b")
    ], events=[EVENT])  # fmt: skip
    outline = Outline(page_)
    assert set(outline.tags) <= set(Outline(usual).tags)
    assert set(outline.attributes) <= set(Outline(usual).attributes)
    for reference in outline.references:
        assert reference.startswith("data:image/png;base64,") or reference[1:] in outline.ids
    assert page_.encode("utf-8")


def test_the_page_does_not_grow_with_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "SNIPPETS", 1)
    monkeypatch.setattr(page, "LOUDEST", 2)
    monkeypatch.setattr(page, "LETTERS", 1)
    monkeypatch.setattr(figures, "POINTS", 3)
    monkeypatch.setattr(figures, "SHOWN_CHANNELS", 1)
    triggers = [trigger(number) for number in range(5)]
    letters = [DeadLetter(source="a", reason="x"), DeadLetter(source="b", reason="x")]
    channels = ("H1:GDS-CALIB_STRAIN", "L1:GDS-CALIB_STRAIN")

    text = report(tmp_path, triggers, segments(*channels), letters)

    assert text.count('<figure id="snippet-') == 1
    assert text.count('in time and frequency"') == 1
    assert "the loudest 3 are drawn" in text
    assert "1 more channels are in the table only" in text
    assert "1 more in dead_letters/dead_letters.jsonl" in text
    assert "1126259449.0000" not in text
