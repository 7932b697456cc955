"""What an operator needs around the program: units for systemd, and the list of what a release is made of."""
