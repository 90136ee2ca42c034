"""What has been decided, per source: the one truth that a redelivery is held against."""
