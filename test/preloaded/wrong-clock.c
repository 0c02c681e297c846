/*
 * A machine whose clock is ahead of the true time by as many seconds as the file that PRELOADED names says. The monotonic clock is
 * left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long seconds_ahead(void)
{
    const char *path = getenv("PRELOADED");
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    if (file == NULL)
        return 0;
    long seconds = 0;
    if (fscanf(file, "%ld", &seconds) != 1)
        seconds = 0;
    fclose(file);
    return seconds;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    int (*next)(struct timeval *, void *) = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int result = next(time, zone);
    if (result == 0)
        time->tv_sec += seconds_ahead();
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int (*next)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = next(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += seconds_ahead();
    return result;
}
