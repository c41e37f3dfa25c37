// What another process has used so far, read from /proc: CPU time and resident memory, its children included.
#pragma once

typedef struct {
  double cpu_seconds;
  double resident_kb;
} Usage;

// Usage of the process and its children, one level down (brokers that fork workers). All zero for pid 0.
Usage process_usage(int pid);
