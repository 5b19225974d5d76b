"""One file a check. Read by ``interlock.quality.build``; nothing that serves imports this folder."""
