package x86

import _ "zhuque/internal/start" // programs that the tests run natively start alike
