"""Labs: exercises on real processes in a sandbox, checked by what the fabric and the data say."""
