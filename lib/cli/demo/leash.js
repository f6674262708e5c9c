'use strict';

// Loaded before each server of the demo: a server must not outlive a demo that was killed outright.
process.on('disconnect', () => process.exit());
process.channel?.unref();
