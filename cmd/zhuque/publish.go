package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"zhuque/sim/kernel"
	"zhuque/sim/outside"
)

// publishFlag is --publish: ports of the guest that the host can reach.
type publishFlag []outside.Published

func (f *publishFlag) register(c *cobra.Command) {
	c.Flags().Var(f, "publish", "`ADDRESS:PORT:GUEST-PORT`, such as 127.0.0.1:8080:80: connections to that loopback address of the host reach the guest's listener; the run cannot be repeated then; may be repeated")
}

// refusePublish makes a verb that must be repeatable say so.
func refusePublish(c *cobra.Command) {
	c.Flags().Var(new(refused), "publish", "")
	if err := c.Flags().MarkHidden("publish"); err != nil {
		panic("BUG: " + err.Error())
	}
}

type refused struct{}

// Set implements pflag.Value.
func (*refused) Set(string) error {
	return errors.New("what clients send is no part of a seed, and a campaign must be repeatable: expected run or crash")
}

func (*refused) String() string { return "" }

// Type implements pflag.Value.
func (*refused) Type() string { return "ADDRESS:PORT:GUEST-PORT" }

// Set implements pflag.Value.
func (f *publishFlag) Set(text string) error {
	p, err := outside.Parse(text)
	if err == nil {
		*f = append(*f, p)
	}
	return err
}

func (f *publishFlag) String() string {
	text := ""
	for _, p := range *f {
		text += fmt.Sprintf("%v:%d ", p.Host, p.Guest)
	}
	return text
}

// Type implements pflag.Value.
func (f *publishFlag) Type() string { return "ADDRESS:PORT:GUEST-PORT" }

// open opens the listeners and says on standard error where they are; idle, when set, is
// called before the machine waits for the host. close ends what is open. Without published ports
// there is nothing to open.
func (f *publishFlag) open(idle func()) (o *outside.Ports, close func(), err error) {
	if len(*f) == 0 {
		return nil, func() {}, nil
	}
	if o, err = outside.Open(*f); err != nil {
		return nil, nil, err
	}
	o.Idle = idle
	for i, p := range *f {
		fmt.Fprintf(os.Stderr,
			"zhuque: port %d of the guest is %v; what comes in makes this run one that cannot be repeated\n", p.Guest, o.Addr(i))
	}
	return o, func() { _ = o.Close() }, nil // the program is over: nobody can be told
}

// attach opens the listeners for a console.
func (f *publishFlag) attach(console *kernel.Console) (close func(), err error) {
	o, close, err := f.open(nil)
	if o != nil {
		console.Outside = o
	}
	return close, err
}
