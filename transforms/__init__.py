"""The stages of the pipeline, one room each, in the order in which data flows.

``ingest`` makes blocks of files and messages, ``whiten`` white noise of blocks, ``detect``
triggers of white noise, ``classify`` labels them, ``sink`` writes and publishes. In each room
``stage.py`` wires the graph; what stands beside it are plain functions, without Beam.

The modules on the ground floor are everybody's: what passes between the stages
(``elements``, ``kinds``, ``refusal``, ``results``, ``coders``, ``arrays``), time (``gps``,
``utc``, ``times``), settings (``settings``, ``checks``, ``environment``), and what is outside
(``files``, ``storage``, ``broker``). ``observe`` counts what the stages do, ``page`` has the
pieces of HTML pages, ``significance`` says how rare triggers are in noise.
"""
