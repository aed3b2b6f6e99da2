"""Which files a command is given: paths, URLs, lists, caches."""

import os
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.commands.inputs import InputError, expand, parse_line, path_of

NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20
)


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("a b.gwf", "a b.gwf"),
        ("file:///data/a.gwf", "/data/a.gwf"),
        ("file://localhost/data/a.gwf", "/data/a.gwf"),
        ("FILE://LOCALHOST/data/a%20b.gwf", "/data/a b.gwf"),
        ("file:/data/a.gwf", "/data/a.gwf"),
        ("file:///data/a%e9#?b.gwf", "/data/a\udce9#?b.gwf"),
        ("file:///100%.gwf", "/100%.gwf"),
        ("C:/a.gwf", "C:/a.gwf"),
    ],
)
def test_a_word_is_a_path_or_a_url_of_one(word, path):
    assert path_of(word) == path


@pytest.mark.parametrize(
    "word",
    ["", "http://x/a.gwf", "s3://bucket/a", "osdf:///gwdata/a.gwf", "root://host//a", "file://a.gwf",
     "file://other/data/a.gwf", "file:///", "file:///a%00b", "gsiftp://h/p"],
)  # fmt: skip
def test_a_url_of_another_place_is_one_line(word):
    with pytest.raises(InputError) as told:
        expand([word])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("H H1_R 1126259446 32 file://localhost/data/a.gwf", "/data/a.gwf"),
        ("H1 H1_R 1126259446.5 - file:///data/a%20b.gwf", "/data/a b.gwf"),
        ("- - - - /data/a.gwf", "/data/a.gwf"),
        ("/data/a.gwf 1126259446 32 0 0", "/data/a.gwf"),
        ("/data/a.gwf 1126259446.000000 32.000000 0 0", "/data/a.gwf"),
        ("  my file.gwf  ", "my file.gwf"),
        ("file 1 2.gwf", "file 1 2.gwf"),
        ("a#b.gwf", "a#b.gwf"),
        ("# H H1_R 1 2 file:///x", None),
        ("   ", None),
    ],
)
def test_a_line_of_a_list_is_a_path_or_a_line_of_a_cache(line, path):
    assert parse_line(line) == path


def test_a_list_is_read_whatever_ends_its_lines(tmp_path):
    listed = tmp_path / "list"
    listed.write_bytes(
        b"\xef\xbb\xbf# strain\r\n\r\na.gwf\r\nH H1_R 1 2 file:///b.gwf\r\n"
        b"/c.gwf 1 2 0 0\nd\xe9.gwf"
    )
    found = expand([f"@{listed}", "e.gwf"])
    assert found == ["a.gwf", "/b.gwf", "/c.gwf", "d\udce9.gwf", "e.gwf"]
    assert os.fsencode(found[3]) == b"d\xe9.gwf"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "names no file"),
        (b"# nothing\n\n", "names no file"),
        (b"a.gwf\n@other\n", "line 2: @other: a list in a list"),
        (b"a.gwf\nhttp://x/y\n", "line 2: http://x/y: http:// is not read"),
        (b"\x89HDF\r\n\x1a\n\0\0", "no list of files"),
    ],
)
def test_a_list_that_cannot_be_is_one_line(content, said, tmp_path):
    (tmp_path / "list").write_bytes(content)
    for word in (f"@{tmp_path}/list", f"@file://{tmp_path}/list"):
        with pytest.raises(InputError, match=said) as told:
            expand([word])
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("word", ["@", "@nowhere", "@."])
def test_a_list_that_is_not_there_is_one_line(word):
    with pytest.raises(InputError, match="@"):
        expand([word])


def test_a_file_named_twice_is_taken_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list").write_text("a.gwf\n")
    assert expand(["a.gwf", "./a.gwf", f"file://{tmp_path}/a.gwf", "@list", "b"]) == ["a.gwf", "b"]


@given(NAMES)
def test_the_url_of_any_path_names_it(name):
    path = f"/data/{name}"
    assert path_of(f"file://localhost{quote(os.fsencode(path))}") == path
    assert path_of(f"file://{quote(os.fsencode(path))}") == path


@given(st.text())
def test_any_line_is_a_path_none_or_refused(line):
    try:
        path = parse_line(line)
    except InputError:
        return
    assert path is None or (path and "\0" not in path)
