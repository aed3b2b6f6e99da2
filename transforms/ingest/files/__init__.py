"""From files of strain to blocks: formats, data quality, planning."""
