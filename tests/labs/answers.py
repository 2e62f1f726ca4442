"""What a student who understood lab 1 types into the cells of its notebook."""

UNDERSTOOD = """\
found = %identify $lab.north $lab.east $lab.south $lab.west $lab.harbour
fit = [c for c in found if not c.problems and not c.fabric]
good = sorted({c.where for c in fit if c.honours_flush} or {c.where for c in fit})
%discover {good[0]} --as ClusterA --site redmond
%discover {good[1]} --as ClusterB --site bellevue"""
CLASSIFIED = """\
%classify ClusterA/PoolA $lab.storage_class
%classify ClusterB/PoolA $lab.storage_class"""
