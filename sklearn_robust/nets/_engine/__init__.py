"""What trains a net: data, batches, schedules, devices and the adapter to skorch."""
