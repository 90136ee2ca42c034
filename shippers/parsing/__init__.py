"""Line -> severity, time, fields. Pure: no I/O."""
