/* The command `cbpf` in tests: command_server.py runs it; if the server rejects it or has ended, it runs here. */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Return a socket that is connected to the server, or -1 if there is none or if a standard stream is closed. */
static int connect_to_server(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SERVER};
    for (int stream = 0; stream < 3; stream++)
        if (fcntl(stream, F_GETFD) < 0) return -1;
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return server >= 0 && connect(server, (struct sockaddr *)&address, sizeof address) == 0 ? server : -1;
}

/* Send the standard streams with one byte; the server reads everything else from /proc. Return whether it was sent. */
static int send_streams(int server) {
    int streams[3] = {0, 1, 2};
    union {
        char buffer[CMSG_SPACE(sizeof streams)];
        struct cmsghdr header;
    } control = {.header = {CMSG_LEN(sizeof streams), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec byte = {"", 1};
    struct msghdr message = {
        .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control.buffer, .msg_controllen = sizeof control.buffer};
    memcpy(CMSG_DATA(&control.header), streams, sizeof streams);
    return sendmsg(server, &message, MSG_NOSIGNAL) == 1;
}

/* End this process as the command ended. */
static int end(int status) {
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}

int main(int count, char **arguments) {
    int server = connect_to_server(), process, status;
    if (server >= 0 && send_streams(server) && read(server, &process, sizeof process) == sizeof process)
        return read(server, &status, sizeof status) == sizeof status ? end(status) : 125;
    char *command[count + 3];
    memcpy(command, (char *[]){PYTHON, "-m", "cbpf"}, 3 * sizeof *command);
    memcpy(command + 3, arguments + 1, count * sizeof *command); /* with the null pointer at the end */
    execv(PYTHON, command);
    return 126;
}
