"""Workers in virtual time: random schedules of everything that can happen to them, and a witness of what they do."""
