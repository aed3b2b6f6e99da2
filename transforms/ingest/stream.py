"""Frames of a stream as a source of the graph."""

from dataclasses import dataclass

import apache_beam as beam
from apache_beam.pvalue import PBegin
from apache_beam.typehints.decorators import no_annotations

from transforms.ingest.stitch.stage import StitchFrames
from transforms.ingest.stitch.stitcher import StitchConfig
from transforms.results import Strain


@dataclass
class ReadStream(beam.PTransform):  # type: ignore[misc]
    """Frames, as they come, stitched to blocks."""

    read: beam.PTransform
    """From the pipeline's begin to frames by channel and dead letters: `ReadKafka`."""
    stitching: StitchConfig

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, begin: PBegin) -> Strain:
        """Wire the source.

        Raises:
            transforms.ingest.stitch.stage.ReachError: The configuration cannot be used live.
        """
        read = begin | "Read" >> self.read
        stitched: Strain = read.elements | "Stitch frames" >> StitchFrames(self.stitching)
        letters = (read.dead_letters, stitched.dead_letters) | "Dead letters" >> beam.Flatten()
        return stitched._replace(dead_letters=letters)
