package x86

// cryptoRows are AES-NI, PCLMULQDQ and the SHA extensions. The VEX forms of 128
// bits come with AVX; those of 256 bits are features of their own, not modelled.
var cryptoRows = []Row{
	sse("66 0F 38 DB /r", "AESIMC", "Vx,Wx", onX(aesUnmix)).feature("AES"),
	sse("66 0F 38 DC /r", "AESENC", "Vx,Wx", onX(aesEncrypt)).feature("AES"),
	sse("66 0F 38 DD /r", "AESENCLAST", "Vx,Wx", onX(aesEncryptLast)).feature("AES"),
	sse("66 0F 38 DE /r", "AESDEC", "Vx,Wx", onX(aesDecrypt)).feature("AES"),
	sse("66 0F 38 DF /r", "AESDECLAST", "Vx,Wx", onX(aesDecryptLast)).feature("AES"),
	sse("66 0F 3A DF /r ib", "AESKEYGENASSIST", "Vx,Wx,Ib", onX(aesKeygenAssist)).feature("AES"),
	sse("66 0F 3A 44 /r ib", "PCLMULQDQ", "Vx,Wx,Ib", onX(pclmulqdq)).feature("PCLMULQDQ"),

	vex("128.66.0F38.WIG DB /r", "VAESIMC", "Vx,Wx", onV(aesUnmix)),
	vex("128.66.0F38.WIG DC /r", "VAESENC", "Vx,Hx,Wx", onV(aesEncrypt)),
	vex("128.66.0F38.WIG DD /r", "VAESENCLAST", "Vx,Hx,Wx", onV(aesEncryptLast)),
	vex("128.66.0F38.WIG DE /r", "VAESDEC", "Vx,Hx,Wx", onV(aesDecrypt)),
	vex("128.66.0F38.WIG DF /r", "VAESDECLAST", "Vx,Hx,Wx", onV(aesDecryptLast)),
	vex("128.66.0F3A.WIG DF /r ib", "VAESKEYGENASSIST", "Vx,Wx,Ib", onV(aesKeygenAssist)),
	vex("128.66.0F3A.WIG 44 /r ib", "VPCLMULQDQ", "Vx,Hx,Wx,Ib", onV(pclmulqdq)),

	sse("NP 0F 38 C8 /r", "SHA1NEXTE", "Vx,Wx", sha1nexte).feature("SHA"),
	sse("NP 0F 38 C9 /r", "SHA1MSG1", "Vx,Wx", sha1msg1).feature("SHA"),
	sse("NP 0F 38 CA /r", "SHA1MSG2", "Vx,Wx", sha1msg2).feature("SHA"),
	sse("NP 0F 38 CB /r", "SHA256RNDS2", "Vx,Wx", sha256rnds2).feature("SHA"),
	sse("NP 0F 38 CC /r", "SHA256MSG1", "Vx,Wx", sha256msg1).feature("SHA"),
	sse("NP 0F 38 CD /r", "SHA256MSG2", "Vx,Wx", sha256msg2).feature("SHA"),
	sse("NP 0F 3A CC /r ib", "SHA1RNDS4", "Vx,Wx,Ib", sha1rnds4).feature("SHA"),
}
