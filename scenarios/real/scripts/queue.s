	.file	"queue.c"
	.text
	.p2align 4
	.globl	weigh
	.type	weigh, @function
weigh:
.LFB1:
	.cfi_startproc
	testq	%rsi, %rsi
	je	.L8
	movq	used(%rip), %r8
	leaq	-8(%rsp), %r10
	movq	%r8, %rax
	leaq	(%r8,%rsi), %r9
	negq	%rax
	leaq	(%rdi,%rax,4), %r11
	xorl	%eax, %eax
	leaq	pool(%rip), %rdi
	.p2align 4,,10
	.p2align 3
.L7:
	movl	(%r11,%r8,4), %edx
	pxor	%xmm1, %xmm1
	movq	%rax, -8(%rsp)
	movq	%r10, %rcx
	cvtsi2sdl	%edx, %xmm1
	mulsd	%xmm0, %xmm1
	testq	%rax, %rax
	jne	.L4
	jmp	.L5
	.p2align 4,,10
	.p2align 3
.L6:
	movq	%rax, %rcx
	movq	(%rax), %rax
	testq	%rax, %rax
	je	.L5
.L4:
	cmpl	8(%rax), %edx
	jg	.L6
.L5:
	leaq	1(%r8), %rsi
	andl	$127, %r8d
	leaq	(%r8,%r8,2), %rax
	leaq	(%rdi,%rax,8), %rax
	movl	%edx, 8(%rax)
	movsd	%xmm1, 16(%rax)
	movq	(%rcx), %rdx
	movq	%rdx, (%rax)
	movq	%rax, (%rcx)
	movq	-8(%rsp), %rax
	cmpq	%r9, %rsi
	je	.L21
	movq	%rsi, %r8
	jmp	.L7
	.p2align 4,,10
	.p2align 3
.L21:
	movq	%r9, used(%rip)
	testq	%rax, %rax
	je	.L8
	pxor	%xmm1, %xmm1
	.p2align 4,,10
	.p2align 3
.L9:
	movl	8(%rax), %edx
	pxor	%xmm2, %xmm2
	movsd	16(%rax), %xmm0
	movq	(%rax), %rax
	andl	$15, %edx
	addl	$1, %edx
	cvtsi2sdl	%edx, %xmm2
	divsd	%xmm2, %xmm0
	addsd	%xmm0, %xmm1
	testq	%rax, %rax
	jne	.L9
	movapd	%xmm1, %xmm0
	ret
.L8:
	pxor	%xmm1, %xmm1
	movapd	%xmm1, %xmm0
	ret
	.cfi_endproc
.LFE1:
	.size	weigh, .-weigh
	.p2align 4
	.globl	hash
	.type	hash, @function
hash:
.LFB2:
	.cfi_startproc
	movzbl	(%rdi), %edx
	movl	$-2128831035, %eax
	testb	%dl, %dl
	je	.L25
	.p2align 4,,10
	.p2align 3
.L24:
	addq	$1, %rdi
	xorl	%edx, %eax
	movzbl	(%rdi), %edx
	imull	$16777619, %eax, %eax
	testb	%dl, %dl
	jne	.L24
	ret
	.p2align 4,,10
	.p2align 3
.L25:
	ret
	.cfi_endproc
.LFE2:
	.size	hash, .-hash
	.p2align 4
	.globl	classify
	.type	classify, @function
classify:
.LFB3:
	.cfi_startproc
	cmpl	$9, %edi
	je	.L31
	jg	.L29
	movl	$10, %eax
	testl	%edi, %edi
	je	.L27
	leal	-1(%rdi), %eax
	cmpl	$2, %eax
	ja	.L30
	leal	0(,%rdi,8), %eax
	subl	%edi, %eax
	ret
	.p2align 4,,10
	.p2align 3
.L29:
	movl	$5, %eax
	cmpl	$100, %edi
	jne	.L36
.L27:
	ret
	.p2align 4,,10
	.p2align 3
.L31:
	movl	$-1, %eax
	ret
	.p2align 4,,10
	.p2align 3
.L30:
	movslq	%edi, %rax
	movl	%edi, %edx
	imulq	$1321528399, %rax, %rax
	sarl	$31, %edx
	sarq	$34, %rax
	subl	%edx, %eax
	leal	(%rax,%rax,2), %edx
	leal	(%rax,%rdx,4), %edx
	movl	%edi, %eax
	subl	%edx, %eax
	ret
	.p2align 4,,10
	.p2align 3
.L36:
	cmpl	$50, %edi
	jle	.L30
	movslq	%edi, %rax
	sarl	$31, %edi
	imulq	$1431655766, %rax, %rax
	shrq	$32, %rax
	subl	%edi, %eax
	ret
	.cfi_endproc
.LFE3:
	.size	classify, .-classify
	.p2align 4
	.globl	saxpy
	.type	saxpy, @function
saxpy:
.LFB4:
	.cfi_startproc
	testl	%edx, %edx
	jle	.L37
	movslq	%edx, %rdx
	xorl	%eax, %eax
	salq	$2, %rdx
	.p2align 4,,10
	.p2align 3
.L39:
	movss	(%rsi,%rax), %xmm1
	mulss	%xmm0, %xmm1
	addss	(%rdi,%rax), %xmm1
	movss	%xmm1, (%rdi,%rax)
	addq	$4, %rax
	cmpq	%rdx, %rax
	jne	.L39
.L37:
	ret
	.cfi_endproc
.LFE4:
	.size	saxpy, .-saxpy
	.local	used
	.comm	used,8,8
	.local	pool
	.comm	pool,3072,32
	.ident	"GCC: (Debian 12.2.0-14+deb12u1) 12.2.0"
	.section	.note.GNU-stack,"",@progbits
