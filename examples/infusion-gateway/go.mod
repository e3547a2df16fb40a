module example.org/infusion-gateway

go 1.25
