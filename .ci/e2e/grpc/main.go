// Command grpc is the two ends of gRPC that the end-to-end set joins by why403:
// grpc-go as a server and as a client, over TLS or without. It is a module of
// its own, so that nobody who builds why403 has to fetch it.
//
//	grpc server CERT KEY             listens, TLS unless both are "", and tells the address
//	grpc client HOST:PORT CA         makes the calls, through the proxy that HTTPS_PROXY names, and tells what it got
//
// Messages are bytes without a schema.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "server":
		err = serve(os.Args[2], os.Args[3])
	case len(os.Args) == 4 && os.Args[1] == "client":
		err = call(os.Args[2], os.Args[3])
	default:
		err = fmt.Errorf("usage: grpc server CERT KEY | grpc client HOST:PORT CA")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "grpc:", err)
		os.Exit(1)
	}
}

// raw takes messages as they are.
type raw struct{}

func (raw) Name() string                       { return "proto" } // what servers without other codecs are asked for
func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = slices.Clone(data); return nil }

const service = "why403.test.Echo"

// tell prints a line at once.
var telling sync.Mutex

func tell(format string, args ...any) {
	telling.Lock()
	defer telling.Unlock()
	fmt.Printf(format+"\n", args...)
}

// seen is what a server got with a call.
func seen(ctx context.Context, method string) {
	md, _ := metadata.FromIncomingContext(ctx)
	var list []string
	for name, values := range md {
		list = append(list, name+"="+strings.Join(values, ","))
	}
	slices.Sort(list)
	_, limited := ctx.Deadline()
	tell("%s deadline %v %s", method, limited, strings.Join(list, " "))
}

func serve(cert, key string) error {
	options := []grpc.ServerOption{grpc.ForceServerCodec(raw{}), grpc.MaxRecvMsgSize(16 << 20)}
	if cert != "" {
		c, err := credentials.NewServerTLSFromFile(cert, key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(c))
	}
	s := grpc.NewServer(options...)
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: service, HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Say", Handler: say}},
		Streams: []grpc.StreamDesc{
			{StreamName: "Count", Handler: count, ServerStreams: true},
			{StreamName: "Sum", Handler: sum, ClientStreams: true},
			{StreamName: "Talk", Handler: talk, ServerStreams: true, ClientStreams: true},
		},
	}, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", l.Addr())
	return s.Serve(l)
}

// say gives the message back, refuses "deny", and does not answer "wait".
func say(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var in []byte
	if err := decode(&in); err != nil {
		return nil, err
	}
	seen(ctx, "Say")
	grpc.SetHeader(ctx, metadata.Pairs("x-served", "first", "x-bytes-bin", "\x00\xff"))
	grpc.SetTrailer(ctx, metadata.Pairs("x-size", strconv.Itoa(len(in))))
	switch string(in) {
	case "deny":
		return nil, status.Error(codes.PermissionDenied, "this is not yours: 100 % größer")
	case "wait":
		<-ctx.Done()
		tell("Say ended by the client")
		return nil, ctx.Err()
	}
	return &in, nil
}

// count sends the numbers up to the one in the message.
func count(_ any, s grpc.ServerStream) error {
	var in []byte
	if err := s.RecvMsg(&in); err != nil {
		return err
	}
	seen(s.Context(), "Count")
	n, _ := strconv.Atoi(string(in))
	for i := range n {
		out := []byte(strconv.Itoa(i + 1))
		if err := s.SendMsg(&out); err != nil {
			return err
		}
	}
	s.SetTrailer(metadata.Pairs("x-sent", strconv.Itoa(n)))
	return nil
}

// sum gives back how many messages came, and their size.
func sum(_ any, s grpc.ServerStream) error {
	seen(s.Context(), "Sum")
	messages, size := 0, 0
	for {
		var in []byte
		err := s.RecvMsg(&in)
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		messages++
		size += len(in)
	}
	out := fmt.Appendf(nil, "%d messages, %d bytes", messages, size)
	return s.SendMsg(&out)
}

// talk answers each message before the next one comes.
func talk(_ any, s grpc.ServerStream) error {
	seen(s.Context(), "Talk")
	for {
		var in []byte
		err := s.RecvMsg(&in)
		if err == io.EOF {
			return status.Error(codes.ResourceExhausted, "said enough")
		} else if err != nil {
			return err
		}
		in = append([]byte("heard "), in...)
		if err := s.SendMsg(&in); err != nil {
			return err
		}
	}
}

func call(target, ca string) error {
	how := insecure.NewCredentials()
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return err
	}
	if ca != "" {
		if how, err = credentials.NewClientTLSFromFile(ca, ""); err != nil {
			return err
		}
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(how), grpc.WithUserAgent("peer"), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(16<<20))}
	if host == "127.0.0.1" { // directly: the authority is to be the same as through the proxy, which resolves names
		options = append(options, grpc.WithAuthority("app.localhost:"+port))
	}
	c, err := grpc.NewClient("dns:///"+target, options...)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), "x-call", "1", "x-bytes-bin", "\xfe\x00"), 20*time.Second)
	defer cancel()
	unary(ctx, c, "hello", 0)
	unary(ctx, c, strings.Repeat("large ", 200_000), 0) // beyond the windows that HTTP/2 begins with
	unary(ctx, c, "deny", 0)
	unary(ctx, c, "wait", 300*time.Millisecond)
	counted(ctx, c)
	summed(ctx, c)
	talked(ctx, c)
	return nil
}

func unary(ctx context.Context, c *grpc.ClientConn, message string, limit time.Duration) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	in, out := []byte(message), []byte(nil)
	var head, tail metadata.MD
	err := c.Invoke(ctx, "/"+service+"/Say", &in, &out, grpc.Header(&head), grpc.Trailer(&tail))
	if limit > 0 { // either end may be the first to say that it is over
		tell("Say: %v", status.Code(err))
		return
	}
	tell("Say: %d bytes, the same: %v, %v, %q %q, %v", len(out), string(out) == message, status.Code(err), head["x-served"], head["x-bytes-bin"], tail["x-size"])
	if code := status.Code(err); code == codes.PermissionDenied {
		tell("Say: %s", status.Convert(err).Message())
	}
}

func counted(ctx context.Context, c *grpc.ClientConn) {
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/"+service+"/Count")
	in := []byte("5")
	if err == nil {
		err = s.SendMsg(&in)
	}
	if err == nil {
		err = s.CloseSend()
	}
	var got []string
	for err == nil {
		var out []byte
		if err = s.RecvMsg(&out); err == nil {
			got = append(got, string(out))
		}
	}
	if err != io.EOF {
		tell("Count: %v", err)
		return
	}
	tell("Count: %s, %v", strings.Join(got, " "), s.Trailer()["x-sent"])
}

func summed(ctx context.Context, c *grpc.ClientConn) {
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, "/"+service+"/Sum")
	for i := 0; i < 50 && err == nil; i++ {
		in := make([]byte, 10_000)
		err = s.SendMsg(&in)
	}
	if err == nil {
		err = s.CloseSend()
	}
	var out []byte
	if err == nil {
		err = s.RecvMsg(&out)
	}
	tell("Sum: %s, %v", out, err)
}

// talked says nothing new before the answer has come: a proxy that keeps either back would hang here.
func talked(ctx context.Context, c *grpc.ClientConn) {
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/"+service+"/Talk")
	var got []string
	for i := 0; i < 5 && err == nil; i++ {
		in, out := fmt.Appendf(nil, "word %d", i), []byte(nil)
		if err = s.SendMsg(&in); err == nil {
			err = s.RecvMsg(&out)
		}
		got = append(got, string(out))
	}
	if err == nil {
		s.CloseSend()
		var out []byte
		err = s.RecvMsg(&out)
	}
	tell("Talk: %s, %v", strings.Join(got, ", "), err)
}
