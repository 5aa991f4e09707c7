;;; For SBCL, which compiles all it is told: code made and replaced while it is hot,
;;; exceptions of the processor that become conditions, and a garbage collector that
;;; moves code and protects pages.
(setf *print-pretty* nil)
(defun note (name &rest values) (format t "~a~{ ~a~}~%" name values))

(defun fib (n) (declare (fixnum n)) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(note "fib" (fib 18))

(defun step-by (n) (+ n 1))
(let ((sum 0))
  (dotimes (round 12)
    (dotimes (i 200) (setf sum (mod (+ (* sum 3) (step-by i)) 1000003)))
    (let ((k round)) (setf (symbol-function 'step-by) (compile nil `(lambda (n) (* n ,(+ k 2)))))))
  (note "replaced" sum))

(let ((sum 0))
  (dotimes (i 12)
    (let ((f (compile nil `(lambda (x) (declare (type (unsigned-byte 32) x)) (logxor (ash x ,(- (mod i 7))) ,(* i 7919))))))
      (dotimes (j 50) (setf sum (mod (+ (* sum 31) (funcall f j)) 1000003)))))
  (note "compiled" sum))

(defun divide (a b) (declare (fixnum a b)) (truncate a b))
(note "division" (handler-case (divide 7 0) (division-by-zero () "by zero")) (divide 17 5))
(defun quotient (a b) (declare (double-float a b)) (/ a b))
(note "floating" (handler-case (quotient 1d0 0d0) (arithmetic-error (c) (type-of c))) (quotient 1d0 3d0))
(defun deep (n) (if (= n 0) 0 (+ 1 (deep (- n 1)))))
(note "stack" (handler-case (deep 100000000) (storage-condition () "exhausted")) (deep 1000))
(note "undefined" (handler-case (funcall 'no-such-function 1) (undefined-function (c) (cell-error-name c))))
(note "bounds" (handler-case (let ((v (make-array 3))) (aref v (parse-integer "7"))) (error () "out of them")))

(let ((table (make-hash-table :test 'equal)) (kept nil))
  (dotimes (i 20000)
    (push (list i (format nil "~36r" (mod (* i 7919) 10007))) kept)
    (incf (gethash (second (first kept)) table 0))
    (when (zerop (mod i 4000)) (gc)))
  (gc :full t)
  (note "collected" (hash-table-count table) (length kept) (second (car (last kept)))))
(note "bignum" (mod (expt 7919 500) (expt 10 30)) (isqrt (expt 10 61)))
(note "strings" (count #\a (with-open-file (in "input.txt") (let ((s (make-string 4000))) (subseq s 0 (read-sequence s in))))))
(finish-output)
(exit :code 4 :abort t)
