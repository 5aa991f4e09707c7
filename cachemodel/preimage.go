package cachemodel

import (
	"encoding/binary"

	"zhuque/sim/phys"
)

// image is the content of one line.
type image [phys.LineSize]byte

const (
	imagesShift = 5
	imagesChunk = 1 << imagesShift
)

// images holds the pre-images of dirty PMEM lines by index, in chunks that are
// copied on the first write after a Fork. Index 0 means none. A free image holds
// the index of the next free one.
type images struct {
	chunks []*imageChunk
	free   uint32 // first free image, 0 for none
	used   uint32 // indices up to here have been handed out before
	live   int
}

type imageChunk struct {
	epoch uint64
	at    [imagesChunk]image
}

func (p *images) fork() images {
	c := *p
	c.chunks = make([]*imageChunk, len(p.chunks))
	copy(c.chunks, p.chunks)
	return c
}

func (p *images) at(i uint32) *image { return &p.chunks[i>>imagesShift].at[i%imagesChunk] }

func (p *images) own(i uint32, epoch uint64) *image {
	k := p.chunks[i>>imagesShift]
	if k.epoch != epoch {
		c := *k
		c.epoch = epoch
		k = &c
		p.chunks[i>>imagesShift] = k
	}
	return &k.at[i%imagesChunk]
}

// alloc returns a new image to be filled by the caller, and its index.
func (p *images) alloc(epoch uint64) (uint32, *image) {
	p.live++
	if i := p.free; i != 0 {
		m := p.own(i, epoch)
		p.free = binary.LittleEndian.Uint32(m[:])
		return i, m
	}
	p.used++
	if p.used>>indexBits != 0 {
		panic("BUG: more pre-images than a word can index")
	}
	if int(p.used>>imagesShift) == len(p.chunks) {
		p.chunks = append(p.chunks, &imageChunk{epoch: epoch})
	}
	return p.used, p.own(p.used, epoch)
}

// drop frees an image; index 0 is ignored.
func (p *images) drop(i uint32, epoch uint64) {
	if i == 0 {
		return
	}
	p.live--
	binary.LittleEndian.PutUint32(p.own(i, epoch)[:], p.free)
	p.free = i
}
