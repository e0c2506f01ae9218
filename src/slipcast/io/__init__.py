"""Files written whole or not at all, labels, locks and identities."""
