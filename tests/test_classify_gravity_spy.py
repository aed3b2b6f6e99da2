"""Our labels and Gravity Spy's names stand one to one."""

import pytest

from models.simulation import waveforms
from transforms.classify import gravity_spy

# Glanzer et al. 2023, arXiv:2208.12849, table of the classes in O3; None_of_the_Above is of O1
# and O2, Zevin et al. 2017, arXiv:1611.04596.
NAMES = [
    "1080Lines",
    "1400Ripples",
    "Air_Compressor",
    "Blip",
    "Blip_Low_Frequency",
    "Chirp",
    "Extremely_Loud",
    "Fast_Scattering",
    "Helix",
    "Koi_Fish",
    "Light_Modulation",
    "Low_Frequency_Burst",
    "Low_Frequency_Lines",
    "No_Glitch",
    "None_of_the_Above",
    "Paired_Doves",
    "Power_Line",
    "Repeating_Blips",
    "Scattered_Light",
    "Scratchy",
    "Tomte",
    "Violin_Mode",
    "Wandering_Line",
    "Whistle",
]


def test_each_name_has_one_label_and_back():
    assert sorted(gravity_spy.LABELS) == sorted(NAMES)
    labels = [gravity_spy.label_of(name) for name in NAMES]
    assert len(set(labels)) == len(NAMES)
    assert [gravity_spy.name_of(label) for label in labels] == NAMES


def test_every_class_stands_in_the_table():
    assert set(gravity_spy.NAMES) == set(waveforms.CLASSES)


@pytest.mark.parametrize("label", ["ccsn", "chirp", "ring_down", "sine_gaussian"])
def test_what_gravity_spy_lacks_has_no_name(label):
    assert gravity_spy.name_of(label) is None


@pytest.mark.parametrize("word", ["", "Blips", "gaussian", "Tomte"])
def test_what_is_no_label_has_no_name(word):
    assert gravity_spy.name_of(word) is None
    assert gravity_spy.label_of(word.lower()) is None
