"""An installation beyond one machine: one configuration file, the services made from it, their health."""
