package main

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// uploadChunk is what one message of an upload carries.
const uploadChunk = 256 << 10

type submitStream = grpc.ClientStreamingClient[apiv1.SubmitJobRequest, apiv1.SubmitJobResponse]

// submitFile sends one document and gives the job that the host made of it.
func submitFile(ctx context.Context, c *call, header *apiv1.SubmitHeader, src source) (*apiv1.Job, error) {
	own := proto.CloneOf(header)
	if own.Title = sanitiseTitle(own.GetTitle()); own.Title == "" {
		own.Title = src.title
	}
	// Whatever goes wrong here, the stream is broken off without its end, and the host
	// drops what it has.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.SubmitJob(ctx)
	if err != nil {
		return nil, err
	}
	answer := receiveAnswer(stream)
	bar := newBar(c.out, own.GetTitle(), src.size)
	defer bar.finish()
	sent := make(chan error, 1)
	// Nobody waits for this one when the host answers early: it ends at its next send,
	// and if it hangs in a read (a terminal, a pipe without a writer) with the process.
	go func() { sent <- send(stream, own, src, bar) }()
	select {
	case a := <-answer: // The host refused before it had everything.
		return a.job, a.err
	case err := <-sent:
		if err != nil && !errors.Is(err, io.EOF) { // At io.EOF the host broke the stream off, and its answer says why.
			cancel()
			<-answer
			return nil, src.error(err)
		}
		a := <-answer
		return a.job, a.err
	}
}

type answer struct {
	job *apiv1.Job
	err error
}

// receiveAnswer waits for the host's word beside the sending: a refusal must not wait
// for the end of a document that may be slow to come.
func receiveAnswer(stream submitStream) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		resp := &apiv1.SubmitJobResponse{}
		err := stream.RecvMsg(resp)
		if errors.Is(err, io.EOF) {
			err = spoolerr.New(spoolerr.Internal, 0, "the host ended the submission without a job; nothing is known to be queued")
		}
		c <- answer{job: resp.GetJob(), err: err}
	}()
	return c
}

// send streams header, document and end. After an error of the document it sends nothing
// more: only the end makes a job of the bytes.
func send(stream submitStream, header *apiv1.SubmitHeader, src source, bar *bar) error {
	doc, err := src.open()
	if err != nil {
		return err
	}
	defer func() { _ = doc.Close() }() // It was only read.
	if err := stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Header{Header: header}}); err != nil {
		return err
	}
	n, err := sendChunks(stream, doc, bar)
	if err != nil {
		return err
	}
	if n == 0 {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "%s is empty; nothing was queued", quotePath(src.name))
	}
	if err := stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_End{End: &apiv1.SubmitEnd{Size: n}}}); err != nil {
		return err
	}
	return stream.CloseSend()
}

// sendChunks sends what doc holds through one buffer; Send has copied it when it returns.
func sendChunks(stream submitStream, doc io.Reader, bar *bar) (total uint64, err error) {
	buf := make([]byte, uploadChunk)
	for {
		n, err := doc.Read(buf)
		if n > 0 {
			if err := stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Chunk{Chunk: buf[:n]}}); err != nil {
				return total, err
			}
			total += uint64(n)
			bar.set(total)
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
