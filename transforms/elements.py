"""What passes between the stages: frozen records whose arrays are bytes.

Times are GPS in integer nanoseconds, intervals are half open. The ``*_array`` and
``samples`` properties give read-only numpy views, without a copy.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.arrays import FloatArray, SingleArray
from transforms.gps import to_index, to_ns
from transforms.kinds import LetterKind, SegmentKind, gap_kind

TILE, RECTANGLE, TRACK = "morlet", "box", "sweep"
"""Values of ``wavelet``. They are published: rectangles and tracks keep their first names there."""
PRELIMINARY, SETTLED, FINAL, WITHDRAWN = "preliminary", "settled", "final", "withdrawn"
STATUSES = {
    PRELIMINARY: "published at once; tiles may still join",
    SETTLED: "a gap has passed; only a longer signal may still absorb it",
    FINAL: "nothing can change any more: what an analysis of the archive gives",
    WITHDRAWN: "became part of another trigger; not to be counted",
}
"""How far a trigger is known, live; from archives, all are final."""
INJECTED = "_HW_INJ"
"""How the names of hardware injections end, as GWOSC's masks name them: ``CW_HW_INJ``."""
LOW_SCORE = 0.5
"""A label with less is less likely than all others together."""


@dataclass(frozen=True)
class Interval:
    """A named stretch of time: a data-quality flag, or a gap with its reason."""

    start_ns: int
    end_ns: int
    name: str
    """Of a gap: a kind of `SegmentKind`, or the required check; several stand between commas."""
    value: float = 0.0
    """Of a run of equal samples: their value."""

    @property
    def kind(self) -> SegmentKind:
        """Return why a gap is one, by the first of its names."""
        return gap_kind(self.name.partition(", ")[0])

    @property
    def is_injection(self) -> bool:
        """Return whether a flag says that a signal was injected by hardware."""
        return self.name.endswith(INJECTED)


@dataclass(frozen=True, kw_only=True)
class Span:
    """One channel's stretch of samples in one file: where they are, not what they are."""

    path: str
    ifo: str
    channel: str
    gps_start_ns: int
    gps_end_ns: int
    sample_rate: int
    """[Hz], a power of two: the rate at which the span will be read."""
    gaps: tuple[Interval, ...] = ()
    """Stretches that must not be analysed, with the reason (not finite, DATA, ...)."""
    flags: tuple[Interval, ...] = ()
    """Data-quality flags that are analysed, and marked on the triggers."""
    file_rate: int = 0
    """[Hz] in the file, where the span is resampled; 0 where it is read as it is."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a file that a block reads."""

    path: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, kw_only=True)
class BlockPlan:
    """A block to be read: the archive's unit of work."""

    ifo: str
    channel: str
    sample_rate: int
    segment_start_ns: int
    segment_end_ns: int
    """The contiguous good data in which the block lies; filters start and end here."""
    analyse_start_ns: int
    analyse_end_ns: int
    """The stretch that this block alone answers for."""
    pieces: tuple[Piece, ...]
    """Contiguous, in order: the stretch analysed and the past and future it needs."""
    flags: tuple[Interval, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Contiguous strain of one channel as it comes live; without samples: no more for now."""

    ifo: str
    channel: str
    sample_rate: int
    """[Hz] as sent, whether or not a power of two."""
    gps_start_ns: int
    data: bytes
    """float64 strain, [time]; not finite where the sender marked it as invalid."""
    gaps: tuple[Interval, ...] = ()
    """Stretches that must not be analysed, with the reason, as the sender marked them."""
    flags: tuple[Interval, ...] = ()
    """Data-quality flags that are analysed, and marked on the triggers."""
    source: str = ""
    """Where it was read: topic, partition and offset."""
    arrived_ns: int = 0
    """When it was complete on the topic [Unix ns]."""
    analysed: bool = False
    """Read again for its past only: what it holds was analysed before a restart."""

    @property
    def samples(self) -> FloatArray:
        """Return the strain, [time], float64."""
        return np.frombuffer(self.data, np.float64)

    @property
    def gps_end_ns(self) -> int:
        """Return the GPS time after the last sample [ns]."""
        first = to_index(self.gps_start_ns, self.sample_rate)
        return to_ns(first + len(self.data) // 8, self.sample_rate)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Strain of one channel, contiguous and finite.

    Live, one without strain is a gap; where it answers for no time, the channel has ended.
    """

    ifo: str
    channel: str
    sample_rate: int
    gps_start_ns: int
    data: bytes
    """float64 strain, [time]."""
    segment_start_ns: int
    segment_end_ns: int
    analyse_start_ns: int
    analyse_end_ns: int
    flags: tuple[Interval, ...] = ()
    arrived_ns: int = 0
    """When the last of it had arrived [Unix ns]; 0 from archives."""

    @property
    def samples(self) -> FloatArray:
        """Return the strain, [time], float64."""
        return np.frombuffer(self.data, np.float64)


@dataclass(frozen=True, kw_only=True)
class Whitened:
    """Whitened strain of unit variance, zero where it is not valid; empty for a gap."""

    ifo: str
    channel: str
    sample_rate: int
    gps_start_ns: int
    data: bytes
    """float32, [time], in units of the noise's standard deviation."""
    valid_start_ns: int
    valid_end_ns: int
    analyse_start_ns: int
    analyse_end_ns: int
    asd: bytes
    """float32 amplitude spectral density [strain/sqrt(Hz)], [update, frequency]."""
    asd_start_ns: int
    """When the first row of ``asd`` comes into force; the others follow at ``asd_step_ns``."""
    asd_step_ns: int
    asd_resolution: float
    """Spacing of ``asd`` and ``response`` in frequency [Hz]; the first column is 0 Hz."""
    response: bytes
    """complex64 response of the whitening filter to a signal, [update, frequency]: 1 where
    the spectrum is smooth, with the phase of its delays near lines."""
    flags: tuple[Interval, ...] = ()
    arrived_ns: int = 0

    @property
    def samples(self) -> SingleArray:
        """Return the whitened strain, [time], float32."""
        return np.frombuffer(self.data, np.float32)

    @property
    def asd_array(self) -> SingleArray:
        """Return the amplitude spectral densities, [update, frequency], float32."""
        return np.frombuffer(self.asd, np.float32).reshape(-1, self._columns)

    @property
    def response_array(self) -> npt.NDArray[np.complex64]:
        """Return the responses, [update, frequency], complex64."""
        return np.frombuffer(self.response, np.complex64).reshape(-1, self._columns)

    @property
    def _columns(self) -> int:
        return round(self.sample_rate / 2 / self.asd_resolution) + 1


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What was seen in one short bin of time: the loudest tile or shape, and the extent."""

    ifo: str
    channel: str
    bin_ns: int
    """Start of the bin on the GPS grid: the element's event time."""
    time_ns: int
    frequency: float
    q: float
    snr: float
    rank: float
    """Ranking statistic: squared, it lacks of the squared SNR what the number of trials costs."""
    phase: float
    amplitude: float
    """Root-sum-square strain of the loudest tile [1/sqrt(Hz)]."""
    start_ns: int
    end_ns: int
    low_frequency: float
    high_frequency: float
    tiles: int
    dq: tuple[str, ...]
    """Names of the data-quality flags over the bin, without those of injections."""
    injections: tuple[str, ...] = ()
    """Names of the hardware injections over the bin."""
    wavelet: str = TILE
    """What fits: ``TILE``, or ``RECTANGLE`` or ``TRACK``, the energy of many tiles."""
    snippet: bytes = b""
    """float32 whitened strain around the time, [time]; empty where not the hop's loudest."""
    snippet_rate: int = 0
    snippet_start_ns: int = 0


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """A stretch that was searched live, and what was found in it."""

    channel: str
    start_ns: int
    end_ns: int
    known_ns: int
    """Start of the whitened strain behind it: before ``start_ns`` where the channel goes on."""
    arrived_ns: int
    candidates: tuple[Candidate, ...] = ()
    gap: bool = False
    """Nothing of it is analysed; where it has no length, the channel has ended."""
    ifo: str = ""
    valid_end_ns: int = 0
    """End of the whitened strain: before ``end_ns`` where the strain ends."""

    @property
    def analysed(self) -> tuple[int, int]:
        """Return start and end of what was analysed [GPS ns]; equal where nothing was."""
        if self.gap:
            return self.end_ns, self.end_ns
        begin = max(self.start_ns, self.known_ns)
        return begin, max(begin, min(self.end_ns, self.valid_end_ns))


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """One transient in one channel, as it is published (docs/data-model.md)."""

    id: str
    ifo: str
    channel: str
    time_ns: int
    start_ns: int
    end_ns: int
    frequency: float
    low_frequency: float
    high_frequency: float
    bandwidth: float
    duration: float
    q: float
    snr: float
    rank: float
    """Ranking statistic: triggers of one rank are as rare in noise, at any frequency."""
    amplitude: float
    phase: float
    wavelet: str
    tiles: int
    dq: tuple[str, ...]
    """Names of the data-quality flags over it, without those of injections."""
    config: str
    data_time_ns: int
    """End of the last sample that the trigger needed."""
    injections: tuple[str, ...] = ()
    """Names of the hardware injections over it."""
    snippet: bytes = b""
    """float32 whitened strain around ``time_ns``, [time]."""
    snippet_rate: int = 0
    snippet_start_ns: int = 0
    label: str = ""
    score: float = float("nan")
    probabilities: tuple[tuple[str, float], ...] = ()
    model: str = ""
    wdf_basis: str = ""
    """Basis of the Wavelet Detection Filter; empty where no basis keeps a coefficient."""
    enwdf: float = 0.0
    wdf_rate: int = 0
    """Sample rate of the filter's window [Hz]; 0 without a snippet."""
    wdf_index: bytes = b""
    """uint16 places of the kept coefficients in the transform, [coefficient]."""
    wdf_value: bytes = b""
    """float32 kept coefficients, [coefficient]."""
    status: str = FINAL
    """How far the trigger is known, see ``STATUSES``."""
    arrived_ns: int = 0
    """When the last of the data that this needed had arrived [Unix ns]; 0 from archives."""

    @property
    def snippet_array(self) -> SingleArray:
        """Return the whitened strain around the trigger, [time], float32."""
        return np.frombuffer(self.snippet, np.float32)

    @property
    def wdf_index_array(self) -> npt.NDArray[np.uint16]:
        """Return the places of the kept coefficients, [coefficient], uint16."""
        return np.frombuffer(self.wdf_index, np.uint16)

    @property
    def wdf_value_array(self) -> SingleArray:
        """Return the kept coefficients, [coefficient], float32."""
        return np.frombuffer(self.wdf_value, np.float32)


@dataclass(frozen=True, kw_only=True)
class PendingClusters:
    """What is not final yet of a live channel."""

    since_ns: int
    """What was found before is not known here; 0: all is."""
    searched_ns: int
    """Up to here."""
    candidates: tuple[Candidate, ...] = ()
    published: tuple[Trigger, ...] = ()
    """As they were published last, without snippets."""
    cut_ns: int = 0
    """Bins before are in final triggers: a long signal was cut here. 0: none was."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Up to when a channel is final: no trigger before can come, change or be withdrawn.

    The watermark is the latest of all channels, so it cannot say this of one.
    """

    channel: str
    final_ns: int
    """All triggers with a time before are final [GPS ns]; gaps count as analysed."""
    ended: bool = False
    """The channel sends no more for now: nobody need wait for it."""
    ifo: str = ""
    start_ns: int = 0
    end_ns: int = 0
    """What was analysed of the stretch that told this [GPS ns]; of no length: nothing."""
    triggers: tuple[str, ...] = ()
    """Ids of the triggers that this made final. They may come later than this does."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What the network needs of a trigger: small, and the same live and from archives."""

    id: str
    ifo: str
    channel: str
    time_ns: int
    start_ns: int
    end_ns: int
    frequency: float
    low_frequency: float
    high_frequency: float
    bandwidth: float
    duration: float
    q: float
    snr: float
    rank: float
    amplitude: float
    label: str
    score: float
    probabilities: tuple[tuple[str, float], ...]
    dq: tuple[str, ...]
    injections: tuple[str, ...]
    config: str
    model: str
    status: str = FINAL
    arrived_ns: int = 0
    """When the last of the data that this needed had arrived [Unix ns]; 0 from archives."""
    waveform: bytes = b""
    """float32 whitened strain within the trigger's extent in time and frequency, [time]."""
    waveform_rate: int = 0
    """[Hz]; 0 without a waveform."""
    waveform_start_ns: int = 0

    @property
    def waveform_array(self) -> SingleArray:
        """Return the whitened strain within the extent, [time], float32."""
        return np.frombuffer(self.waveform, np.float32)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Coincident triggers of a network, as it is published (docs/data-model.md)."""

    id: str
    time_ns: int
    """Of the trigger of the first detector, in the order of the detectors' names."""
    detectors: tuple[str, ...]
    """In order of name; each has one trigger."""
    triggers: tuple[Arrival, ...]
    """In the order of the detectors, without waveforms."""
    snr: float
    """Root of the sum of the triggers' squared SNRs."""
    rank: float
    """Ranking statistic of the best pair, with labels: ln of a likelihood ratio."""
    rank_unlabelled: float
    """The same of the best pair without labels."""
    correlation: float
    """Largest correlation of two whitened waveforms among the allowed delays, -1 to 1, of the
    best pair; its sign is kept."""
    delay_ns: int
    """Where it is: how much later the wave is in the second detector of that pair."""
    pair: str
    """The best pair: its detectors in order, as ``H1L1``."""
    label: str
    """Most probable class, given both triggers of the best pair."""
    score: float
    config: str
    """Hash of the configuration of ranking; the triggers have that of detection."""
    status: str = FINAL
    far: float = float("nan")
    """False-alarm rate [Hz]; not a number where there is no background yet."""
    far_livetime_ns: int = 0
    """Slid live time that the rate was counted in [ns]."""
    far_louder: int = 0
    """How many slid pairs were at least as loud."""
    far_method: str = ""
    """How the rate was made."""
    arrived_ns: int = 0
    """When the last of the data that this needed had arrived [Unix ns]; 0 from archives."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Time in which a detector was searched."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, kw_only=True)
class ChannelState:
    """What a network knows of a channel."""

    channel: str
    ifo: str
    final_ns: int
    """As it said last itself."""
    held_ns: int
    """Final without the triggers that it named and that have not come."""
    ended: bool = False
    missing: tuple[str, ...] = ()
    """Ids of final triggers that it named and that have not come."""
    early: tuple[str, ...] = ()
    """Ids of final triggers that came before it named them."""
    searched: tuple[Stretch, ...] = ()
    """In order, joined where they touch; of the last hours alone."""

    @property
    def known_ns(self) -> int:
        """Return the time before which all its final triggers are here [GPS ns]."""
        return self.held_ns if self.missing else self.final_ns


@dataclass(frozen=True, kw_only=True)
class NetworkState:
    """What of a network is not final yet."""

    started_ns: int = 0
    """Start of the first stretch that anybody told of [GPS ns]; 0: nobody has."""
    settled_ns: int = 0
    """Events of seconds before are final."""
    counted_ns: int = 0
    """Hours before are part of the background."""
    channels: tuple[ChannelState, ...] = ()
    waiting: tuple[Arrival, ...] = ()
    """Triggers that may still be part of an event."""
    published: tuple[Event, ...] = ()
    """Events that are not final, as they were published last."""


@dataclass(frozen=True, kw_only=True)
class BackgroundHour:
    """What one hour of GPS time adds to a network's background."""

    hour: int
    """Number of the hour: GPS time over 3600 s, rounded down."""
    triggers: tuple[bytes, ...] = ()
    """`TriggerHour` of each channel."""
    slides: tuple[bytes, ...] = ()
    """`Hour` of each pair of detectors."""


@dataclass(frozen=True, kw_only=True)
class PastHours:
    """The hours that a network remembers, in order."""

    hours: tuple[BackgroundHour, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a network is told at once, live."""

    arrivals: tuple[Arrival, ...] = ()
    progress: tuple[Progress, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of a channel, and whether it was looked at."""

    ifo: str
    channel: str
    start_ns: int
    end_ns: int
    analysed: bool
    reason: str = ""
    """Why not, in words; empty where analysed."""
    kind: SegmentKind = SegmentKind.ANALYSED
    """The same for programs."""


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """An input that could not be used, with one line for the person who sent it."""

    source: str
    """The file or topic it came from."""
    reason: str
    """One line: what is wrong and what to do."""
    checksum: str = ""
    """SHA-256 of the bytes, where there were bytes."""
    kind: LetterKind = LetterKind.OTHER
    """What is wrong, for programs."""
