/* test_udp_socket_portable.c - the same promises of the loop for machines without batched calls. */
#define UDP_SOCKET_PORTABLE 1
#include "phase5_protocol/c/udp_socket.c"
#include "phase5_protocol/c/udp_socket_open.c"

#include "phase5_protocol/c/test_udp_socket.c"
