// Holds nothing: the precompiled headers of LibTorch need one file to belong to (torch.cmake).
