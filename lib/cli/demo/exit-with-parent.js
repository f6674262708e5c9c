'use strict';

// Loaded before each server of the demo: ends it when the demo has ended, even if that was killed.
process.on('disconnect', () => process.exit());
process.channel?.unref();
