"""The stages of the pipeline, one package each, in the order in which data flows.

``ingest`` makes blocks from files and messages, ``whiten`` whitens blocks, ``detect`` finds
triggers in the white noise, ``classify`` labels them, ``sink`` writes and publishes them. In
each package ``stage.py`` wires the graph (``sink`` has ``archive.py``, ``live.py`` and
``kafka.py`` too); the other modules are plain functions, without Beam.

All packages use the modules in this folder: what passes between the stages (``elements``,
``kinds``, ``refusal``, ``results``, ``coders``, ``arrays``), time (``gps``, ``utc``,
``times``), settings (``settings``, ``checks``, ``environment``), and what is outside
(``files``, ``storage``, ``broker``). ``binaries`` has the inspiral to leading order.
``observe`` counts what the stages do, ``page`` has what all HTML pages use,
``significance`` computes how rare triggers are in noise.
"""
