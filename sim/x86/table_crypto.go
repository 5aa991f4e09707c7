package x86

// cryptoRows are AES-NI, PCLMULQDQ and the SHA extensions.
var cryptoRows = []Row{
	sse("66 0F 38 DB /r", "AESIMC", "Vx,Wx", aesimc).feature("AES"),
	sse("66 0F 38 DC /r", "AESENC", "Vx,Wx", aesRound(aesEncrypt)).feature("AES"),
	sse("66 0F 38 DD /r", "AESENCLAST", "Vx,Wx", aesRound(aesEncryptLast)).feature("AES"),
	sse("66 0F 38 DE /r", "AESDEC", "Vx,Wx", aesRound(aesDecrypt)).feature("AES"),
	sse("66 0F 38 DF /r", "AESDECLAST", "Vx,Wx", aesRound(aesDecryptLast)).feature("AES"),
	sse("66 0F 3A DF /r ib", "AESKEYGENASSIST", "Vx,Wx,Ib", aeskeygenassist).feature("AES"),
	sse("66 0F 3A 44 /r ib", "PCLMULQDQ", "Vx,Wx,Ib", pclmulqdq).feature("PCLMULQDQ"),

	sse("NP 0F 38 C8 /r", "SHA1NEXTE", "Vx,Wx", sha1nexte).feature("SHA"),
	sse("NP 0F 38 C9 /r", "SHA1MSG1", "Vx,Wx", sha1msg1).feature("SHA"),
	sse("NP 0F 38 CA /r", "SHA1MSG2", "Vx,Wx", sha1msg2).feature("SHA"),
	sse("NP 0F 38 CB /r", "SHA256RNDS2", "Vx,Wx", sha256rnds2).feature("SHA"),
	sse("NP 0F 38 CC /r", "SHA256MSG1", "Vx,Wx", sha256msg1).feature("SHA"),
	sse("NP 0F 38 CD /r", "SHA256MSG2", "Vx,Wx", sha256msg2).feature("SHA"),
	sse("NP 0F 3A CC /r ib", "SHA1RNDS4", "Vx,Wx,Ib", sha1rnds4).feature("SHA"),
}
