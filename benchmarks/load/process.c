// See process.h. CPU time is summed over threads from schedstat, which counts nanoseconds; the better known `stat`
// counts in steps of 10 ms, which is too coarse for phases that last a tenth of a second.
#include "process.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static double thread_cpu_seconds(int pid, const char *thread) {
  char path[320];
  snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, thread);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  unsigned long long nanoseconds = 0;
  if (fscanf(file, "%llu", &nanoseconds) != 1) nanoseconds = 0;
  fclose(file);
  return (double)nanoseconds / 1e9;
}

static double cpu_seconds(int pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *threads = opendir(path);
  if (!threads) return 0;
  double sum = 0;
  for (struct dirent *entry; (entry = readdir(threads));) {
    if (entry->d_name[0] != '.') sum += thread_cpu_seconds(pid, entry->d_name);
  }
  closedir(threads);
  return sum;
}

static double resident_kb(int pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/statm", pid);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  unsigned long long total = 0, resident = 0;
  if (fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
  fclose(file);
  return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024.0;
}

static void add_process(Usage *usage, int pid) {
  usage->cpu_seconds += cpu_seconds(pid);
  usage->resident_kb += resident_kb(pid);
}

Usage process_usage(int pid) {
  Usage usage = {0, 0};
  if (pid == 0) return usage;
  add_process(&usage, pid);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
  FILE *file = fopen(path, "r");
  if (!file) return usage;
  for (int child; fscanf(file, "%d", &child) == 1;) add_process(&usage, child);
  fclose(file);
  return usage;
}
