"""Consume -> windows -> decide -> commit -> settle. The only place that acknowledges."""
