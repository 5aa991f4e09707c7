"""AES-128 in counter mode (FIPS 197), in plain Python over lists of bytes."""


def times2(a):
    return (a << 1) ^ (0x11b if a & 0x80 else 0)


def tables():
    log, power, x = [0] * 256, [0] * 256, 1
    for i in range(255):
        log[x], power[i] = i, x
        x ^= times2(x)
    box = []
    for a in range(256):
        inverse = power[(255 - log[a]) % 255] if a else 0
        s = inverse
        for k in range(1, 5):
            s ^= (inverse << k | inverse >> (8 - k)) & 0xff
        box.append(s ^ 0x63)
    return box


BOX = tables()
DOUBLE = [times2(a) & 0xff for a in range(256)]


def expand(key):
    words, round_constant = [list(key[i:i + 4]) for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        w = words[-1]
        if i % 4 == 0:
            w = [BOX[b] for b in w[1:] + w[:1]]
            w[0] ^= round_constant
            round_constant = times2(round_constant) & 0xff
        words.append([a ^ b for a, b in zip(words[-4], w)])
    return [sum(words[i:i + 4], []) for i in range(0, 44, 4)]


SHIFT = [0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11]


def encrypt(keys, block):
    state = [a ^ k for a, k in zip(block, keys[0])]
    for r in range(1, 11):
        state = [BOX[state[i]] for i in SHIFT]
        if r < 10:
            mixed = []
            for i in range(0, 16, 4):
                a, b, c, d = state[i:i + 4]
                all_ = a ^ b ^ c ^ d
                mixed += [a ^ all_ ^ DOUBLE[a ^ b], b ^ all_ ^ DOUBLE[b ^ c], c ^ all_ ^ DOUBLE[c ^ d], d ^ all_ ^ DOUBLE[d ^ a]]
            state = mixed
        state = [a ^ k for a, k in zip(state, keys[r])]
    return state


def work(n):
    keys = expand(bytes.fromhex("000102030405060708090a0b0c0d0e0f"))
    # The example of FIPS 197, appendix C.1.
    one = bytes(encrypt(keys, list(bytes.fromhex("00112233445566778899aabbccddeeff")))).hex()
    assert one == "69c4e0d86a7b0430d8cdb78070b4c55a", one
    total = 0
    for i in range(n):
        total ^= int.from_bytes(bytes(encrypt(keys, list(i.to_bytes(16, "big")))), "big")
    return "%032x" % total
