/* Patch level 99 is one that no release has. */
#define MPV_MAJOR 3
#define MPV_MINOR 1
#define MPV_PATCH 99
#define MPV_STRING "3.1.99-host"
