package system

import _ "zhuque/internal/start" // programs that the tests run natively start alike
