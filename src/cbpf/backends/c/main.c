
/* Copies the packets that the function accepts from standard input to standard output; both are captures (pcap). */
#include <stdio.h>

static uint32_t number(const uint8_t *p, int is_big)
{
    return is_big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
                  : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static int failure(const char *fact)
{
    fprintf(stderr, "standard input: %s\n", fact);
    return 2;
}

int main(void)
{
    static uint8_t header[24], record[16], data[262144];
    size_t size;
    int is_big;

    if (fread(header, 1, sizeof header, stdin) != sizeof header)
        return failure("file too short: a pcap header has 24 bytes");
    is_big = header[0] == 0xa1;
    if (number(header, is_big) != 0xa1b2c3d4 && number(header, is_big) != 0xa1b23c4d)
        return failure("not a pcap capture");
    fwrite(header, 1, sizeof header, stdout);
    while ((size = fread(record, 1, sizeof record, stdin)) == sizeof record) {
        uint32_t captured = number(record + 8, is_big);

        if (captured > sizeof data)
            return failure("a packet has more than 262144 bytes");
        if (fread(data, 1, captured, stdin) != captured)
            return failure("the last packet is truncated");
        if (@NAME@(data, captured, number(record + 12, is_big))) {
            fwrite(record, 1, sizeof record, stdout);
            fwrite(data, 1, captured, stdout);
        }
    }
    if (size != 0)
        return failure("the header of the last packet is truncated");
    if (ferror(stdin))
        return failure("cannot be read");
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("standard output: cannot be written\n", stderr);
        return 2;
    }
    return 0;
}
