#!/usr/bin/env node
// The command. It stands apart from the built files, because package managers link it before anything is built.
import '../dist/cli.js';
