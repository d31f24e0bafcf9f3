module github.com/kubestellar/actions/tools/attest-test

go 1.26.8

require github.com/digitorus/timestamp v0.0.0-20250524132541-c45532741eea

require github.com/digitorus/pkcs7 v0.0.0-20230818184609-3a137a874352 // indirect
