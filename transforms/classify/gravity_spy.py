"""Our labels and those of Gravity Spy in O3, one to one.

Gravity Spy's names are those of its catalogue of O1 to O3, Glanzer et al. 2023, arXiv:2208.12849,
and, for ``None_of_the_Above``, which that catalogue no longer has, of Zevin et al. 2017,
arXiv:1611.04596. Their meaning is theirs too: ``Chirp`` is a compact binary. Four of our labels
have no name there.
"""

from collections.abc import Mapping
from types import MappingProxyType

NAMES: Mapping[str, str | None] = MappingProxyType(
    {
        "1080_lines": "1080Lines",
        "1400_ripples": "1400Ripples",
        "air_compressor": "Air_Compressor",
        "blip": "Blip",
        "cbc": "Chirp",
        "extremely_loud": "Extremely_Loud",
        "fast_scattering": "Fast_Scattering",
        "helix": "Helix",
        "koi_fish": "Koi_Fish",
        "light_modulation": "Light_Modulation",
        "low_frequency_blip": "Blip_Low_Frequency",
        "low_frequency_burst": "Low_Frequency_Burst",
        "low_frequency_lines": "Low_Frequency_Lines",
        "noise": "No_Glitch",
        "paired_doves": "Paired_Doves",
        "power_line": "Power_Line",
        "repeating_blips": "Repeating_Blips",
        "scattered_light": "Scattered_Light",
        "scratchy": "Scratchy",
        "tomte": "Tomte",
        "unknown": "None_of_the_Above",
        "violin_mode": "Violin_Mode",
        "wandering_line": "Wandering_Line",
        "whistle": "Whistle",
        "ccsn": None,
        "chirp": None,
        "ring_down": None,
        "sine_gaussian": None,
    }
)
"""Gravity Spy's name of each of our labels; none, where it has none."""
LABELS: Mapping[str, str] = MappingProxyType(
    {name: label for label, name in NAMES.items() if name is not None}
)
"""Our label of each of Gravity Spy's names."""


def name_of(label: str) -> str | None:
    """Return Gravity Spy's name of one of our labels.

    Returns:
        ``None`` where Gravity Spy has no such class, or where the label is none that the packaged
        model has.
    """
    return NAMES.get(label)


def label_of(name: str) -> str | None:
    """Return our label of one of Gravity Spy's names; ``None`` for what is no name of it."""
    return LABELS.get(name)
