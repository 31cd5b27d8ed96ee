#!/usr/bin/env node
// Committed, unlike what it loads: npm links a bin only when it is there at install time.
import '../dist/src/shell/main.js';
