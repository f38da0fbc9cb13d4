module controller

go 1.26
